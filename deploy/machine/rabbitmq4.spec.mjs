import { describe, expect, it } from '@jest/globals';
import { debianSources } from './rabbitmq4.mjs';

const KEYRING = '/usr/share/keyrings/debian-archive-keyring.gpg';

describe('where RabbitMQ 4 comes from', () => {
  it('is the mirror of this machine, once for each archive, and Debian 13', () => {
    const targets = [
      'http://mirror.example/debian/ Debian',
      'http://mirror.example/debian/ Debian',
      'http://mirror.example/debian-security/ Debian-Security',
      'http://other.example/node Nodesource',
    ];
    expect(debianSources(`${targets.join('\n')}\n`)).toEqual([
      `deb [signed-by=${KEYRING}] http://mirror.example/debian/ trixie main\n`,
      `deb [signed-by=${KEYRING}] http://mirror.example/debian-security/ trixie-security main\n`,
    ]);
  });

  it('is nowhere when apt knows no mirror of Debian', () => {
    expect(debianSources('http://mirror.example/ubuntu/ Ubuntu\nhttp://mirror.example/debian/ $(LABEL)\n')).toEqual([]);
  });
});
