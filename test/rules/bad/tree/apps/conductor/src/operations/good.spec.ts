import { name } from '@novella/testing';

console.log(name, Date.now(), process.env['HOME']!);
