// Jest runs each test file in a realm of its own, while Node's modules throw errors of the outer one: without this,
// `error instanceof Error` is false in tests, and only there, for whatever fs, net or child_process has thrown.
const ordinary = Function.prototype[Symbol.hasInstance];
Object.defineProperty(Error, Symbol.hasInstance, {
  value(this: unknown, thrown: unknown): boolean {
    return (this === Error && Error.isError(thrown)) || ordinary.call(this as never, thrown);
  },
});
