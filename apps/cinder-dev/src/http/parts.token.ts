export const PARTS = Symbol('cinder-dev:parts');
