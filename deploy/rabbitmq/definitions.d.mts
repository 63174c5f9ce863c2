export function usersFor(hosts: readonly string[]): string[];
export function completed(
  passwords: Readonly<Record<string, string>>,
  users: readonly string[],
): Readonly<Record<string, string>>;
export function definitions(options: {
  readonly hosts: readonly string[];
  readonly passwords: Readonly<Record<string, string>>;
  readonly vhost?: string;
  readonly deliveryLimit?: number;
}): object;
export function passwordHash(password: string, salt?: Uint8Array): string;
