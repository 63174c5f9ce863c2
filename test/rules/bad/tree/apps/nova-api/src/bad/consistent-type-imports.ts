import { name } from '../name.js';

export type Name = typeof name;
