import 'reflect-metadata';
import { manage } from './manage.js';

const { stdout, stderr, code } = await manage(process.argv.slice(2));
process.stdout.write(stdout);
process.stderr.write(stderr);
process.exitCode = code;
