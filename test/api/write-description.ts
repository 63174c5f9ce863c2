import 'reflect-metadata';
import { readFile, writeFile } from 'node:fs/promises';
import { describeApi, OPENAPI_FILE, openApiText } from './describe.js';
import { findOperations } from './find-operations.js';
import { REFERENCE_FILE, routeTable, withTable } from './route-table.js';
import { wordsOfTheSource } from './words.js';

/** Writes the description of the API anew, after routes or request classes have changed. */
const found = await findOperations(await wordsOfTheSource());
await writeFile(OPENAPI_FILE, openApiText(describeApi(found)));
await writeFile(REFERENCE_FILE, withTable(await readFile(REFERENCE_FILE, 'utf8'), routeTable(found)));
