const { env } = process;

export const port = (): string | undefined => env['PORT'];
