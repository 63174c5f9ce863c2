export * from '../name.js';
