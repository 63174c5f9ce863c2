import { Env, IsSeconds } from '@novella/service-kit';
import { IsInt, Max, Min } from 'class-validator';

const MIB = 2 ** 20;

/** How much one client may send, and how long it may take, by environment variable. docs/operators.md explains each. */
export class HttpSettings {
  /** Larger bodies get 413; oslo's default. About 900 `volume-extended` events. */
  @Env('NOVELLA_API_MAX_BODY_BYTES')
  @IsInt()
  @Min(1_024)
  @Max(64 * MIB)
  readonly maxBodyBytes: number = 114_688;

  /** Request line and headers together; more gets 431. */
  @Env('NOVELLA_API_MAX_HEADER_BYTES')
  @IsInt()
  @Min(4_096)
  @Max(MIB)
  readonly maxHeaderBytes: number = 16_384;

  /** From a connection's first byte, or the end of the answer before, until the headers are there; else 408. */
  @Env('NOVELLA_API_HEADERS_TIMEOUT_S')
  @IsSeconds(1, 3_600)
  readonly headersTimeoutS: number = 20;

  /** The same for headers and body together. */
  @Env('NOVELLA_API_REQUEST_TIMEOUT_S')
  @IsSeconds(1, 3_600)
  readonly requestTimeoutS: number = 60;

  /** A connection without a request is closed after so long. */
  @Env('NOVELLA_API_KEEP_ALIVE_S')
  @IsSeconds(1, 3_600)
  readonly keepAliveS: number = 72;

  /** Connections at a time; one more is closed at once. */
  @Env('NOVELLA_API_MAX_CONNECTIONS')
  @IsInt()
  @Min(1)
  @Max(1_000_000)
  readonly maxConnections: number = 4_096;
}
