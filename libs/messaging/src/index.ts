export { type AmqpLinkOptions, openAmqpLink } from './amqp/amqp-link.js';
export {
  ConsumerProbe,
  PROBE_LIMITS,
  type ProbeCounts,
  type ProbeLimits,
  type ProbeOptions,
} from './consumer-probe.js';
export {
  decodeReply,
  decodeRequest,
  encodeReply,
  encodeRequest,
  FRAME_PROPERTIES,
  type ReplyAddress,
  type RpcContext,
  type RpcReply,
  type RpcRequest,
} from './envelope.js';
export { decodeFailure, encodeFailure, noSuchMethod, type OsloFailure, unsupportedVersion } from './failure.js';
export { InMemoryBroker, type InMemoryBrokerOptions } from './in-memory-broker.js';
export { InMemoryLink } from './in-memory-link.js';
export type {
  ConsumeOptions,
  Delivery,
  ExchangeDeclaration,
  Frame,
  FrameHeaders,
  Link,
  LinkConsumer,
  LinkState,
  PublishOptions,
  QueueDeclaration,
  QueueLook,
  Topology,
} from './link.js';
export { RpcEndpoint } from './nest/rpc-endpoint.decorator.js';
export { RpcStrategy, type RpcStrategyOptions } from './nest/rpc.strategy.js';
export { type RetryLimits } from './retry.js';
export { type CastsOf, type RpcClient, rpcClient, type RpcClientOptions } from './rpc-client.js';
export { RpcServer, type RpcServerCounts, type RpcServerOptions } from './rpc-server.js';
export {
  DEAD_LETTER,
  deadLetterTopology,
  NOVA_EXCHANGE,
  publisherTopology,
  replyTopology,
  routeTo,
  routeToReply,
  serverTopology,
  type Target,
} from './topology.js';
export { versionIsCompatible } from './versions.js';
