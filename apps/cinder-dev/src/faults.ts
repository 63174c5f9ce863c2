/** A refusal that the caller is told of, by its HTTP status. Mirrors cinder:exception.py and its `code`s. */
export class CinderFault extends Error {
  constructor(
    readonly status: 400 | 401 | 404 | 406 | 409 | 415,
    message: string,
  ) {
    super(message);
    this.name = 'CinderFault';
  }
}

export const badRequest = (message: string) => new CinderFault(400, message);
/** What clients look for in a 404 is the id: it tells a missing thing from a missing route. */
export const noSuch = (what: 'Volume' | 'Attachment' | 'Volume type', id: string) =>
  new CinderFault(404, `${what} ${id} could not be found.`);
export const noSuchResource = () => new CinderFault(404, 'The resource could not be found.');
