import { UNIT_MUTANTS } from './catalogue/all.js';
import { mutantsAreCaught } from './mutants-are-caught.js';

mutantsAreCaught('a mutant', UNIT_MUTANTS);
