import { afterAll } from '@jest/globals';
import { type TestDatabase, testDatabase } from '../conformance/store/sql-harness.js';
import { SQL_STORE_MUTANTS } from './catalogue/store-in-sql.js';
import { mutantsAreCaught } from './mutants-are-caught.js';

let database: TestDatabase | null = null;
afterAll(() => database?.close(), 60_000);

// One Postgres for all; each mutant has a database of its own there.
mutantsAreCaught('a mutant of the SQL store', SQL_STORE_MUTANTS, async () => {
  database = await testDatabase();
  return { NOVELLA_TEST_POSTGRES_URL: database.url };
});
