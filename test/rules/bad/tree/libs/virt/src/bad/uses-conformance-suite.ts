export { expect } from '../conformance/suite.conformance.js';
