import { once } from 'node:events';
import { connect, createServer, type Socket } from 'node:net';
import { listenOnLoopback } from './free-port.js';

/**
 * A TCP proxy that breaks a connection in the ways that networks do.
 *
 * pass       bytes go both ways (as it starts)
 * cut        every connection is reset, and so is each new one
 * hang       connections stay, new ones are accepted, and nothing goes through; `pass` delivers what was held back
 * half-open  the target's side is gone and the client is not told: what it sends vanishes, new connections too; they
 *            stay dead after `pass`, until the client gives them up
 */
export type ProxyMode = 'pass' | 'cut' | 'hang' | 'half-open';

export interface CuttingProxy extends AsyncDisposable {
  readonly host: '127.0.0.1';
  readonly port: number;
  /** Connections from clients that are open now. */
  readonly connections: number;
  set(mode: ProxyMode): void;
  close(): Promise<void>;
}

/** `target` is null when there has never been one. `severed`: what happens to the target is no news for the client. */
interface Pair {
  readonly client: Socket;
  readonly target: Socket | null;
  severed: boolean;
}

/** Resolves when the proxy listens on a free port of the loopback. */
export async function cuttingProxy(target: { host?: string; port: number }): Promise<CuttingProxy> {
  const pairs = new Set<Pair>();
  let mode: ProxyMode = 'pass';

  const apply = (pair: Pair): void => {
    hold(pair);
    switch (mode) {
      case 'pass':
        if (!pair.severed) flow(pair);
        return;
      case 'hang':
        return;
      case 'half-open':
        sever(pair);
        return;
      case 'cut':
        reset(pair.client);
    }
  };

  const server = createServer({ allowHalfOpen: true, pauseOnConnect: true }, (client) => {
    if (mode === 'cut') {
      reset(client);
      return;
    }
    const behind = mode === 'half-open' ? null : connect({ host: '127.0.0.1', allowHalfOpen: true, ...target });
    const pair: Pair = { client, target: behind, severed: false };
    pairs.add(pair);
    client.on('close', () => pairs.delete(pair));
    passErrors(pair);
    apply(pair);
  });
  const port = await listenOnLoopback(server);

  const close = async (): Promise<void> => {
    if (!server.listening) return;
    server.close();
    for (const { client } of pairs) client.destroy();
    await once(server, 'close');
  };
  return {
    host: '127.0.0.1',
    port,
    get connections() {
      return pairs.size;
    },
    set: (next) => {
      mode = next;
      for (const pair of pairs) apply(pair);
    },
    close,
    [Symbol.asyncDispose]: close,
  };
}

/** A socket whose own side has ended cannot be reset any more: it would never close. */
function reset(socket: Socket): void {
  if (socket.writableEnded) socket.destroy();
  else socket.resetAndDestroy();
}

/** A side that ends with an error or by force takes the other with it, as a reset. */
function passErrors(pair: Pair): void {
  const { client, target } = pair;
  // Errors are what the proxy is for; each ends in 'close'.
  client.on('error', () => undefined);
  client.on('close', (hadError) => {
    if (target !== null && (hadError || !target.writableEnded)) reset(target);
  });
  target?.on('error', () => {
    if (!pair.severed) reset(client);
  });
}

function flow({ client, target }: Pair): void {
  if (target === null) return;
  client.pipe(target);
  target.pipe(client);
}

function hold({ client, target }: Pair): void {
  client.unpipe();
  client.pause();
  target?.unpipe();
  target?.pause();
}

function sever(pair: Pair): void {
  pair.severed = true;
  pair.target?.destroy();
  pair.client.resume();
}
