export interface Clock {
  sleep(delay: number): Promise<void>;
}
export interface Random {
  fraction(): number;
}
