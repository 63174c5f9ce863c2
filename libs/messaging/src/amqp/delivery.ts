import type { ConsumeMessage } from 'amqplib';
import type { Delivery, FrameHeaders } from '../link.js';

/** Headers that the broker adds of itself. */
const BROKERS_OWN = /^x-(delivery-count|acquired-count|opt-.*)$/;

export class AmqpDelivery implements Delivery {
  readonly exchange: string;
  readonly routingKey: string;
  readonly body: Buffer;
  readonly contentType: string;
  readonly contentEncoding: string;
  readonly headers: FrameHeaders;
  readonly redelivered: boolean;
  readonly deliveryCount: number;
  readonly userId: string | null;

  private acked = false;

  constructor(
    private readonly message: ConsumeMessage,
    readonly queue: string,
    readonly lost: AbortSignal,
    private readonly onAck: (message: ConsumeMessage) => void,
  ) {
    const { fields, properties, content } = message;
    const count: unknown = properties.headers?.['x-delivery-count'];
    this.exchange = fields.exchange;
    this.routingKey = fields.routingKey;
    this.body = content;
    this.contentType = text(properties.contentType) ?? '';
    this.contentEncoding = text(properties.contentEncoding) ?? '';
    this.headers = scalars(properties.headers ?? {});
    this.redelivered = fields.redelivered;
    this.deliveryCount = typeof count === 'number' ? count : Number(fields.redelivered);
    this.userId = text(properties.userId);
  }

  ack(): void {
    if (this.acked) return;
    this.acked = true;
    this.onAck(this.message);
  }
}

const text = (value: unknown): string | null => (typeof value === 'string' ? value : null);

/** What a peer sent, where it is plain: `x-death` and other tables say nothing to us. */
function scalars(headers: Readonly<Record<string, unknown>>): FrameHeaders {
  const kept: Record<string, string | number | boolean> = {};
  for (const [name, value] of Object.entries(headers)) {
    if (BROKERS_OWN.test(name)) continue;
    if (typeof value === 'string' || typeof value === 'number' || typeof value === 'boolean') kept[name] = value;
  }
  return kept;
}
