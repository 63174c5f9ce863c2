import type { PrivateRabbit } from '@novella/testing';

/**
 * What goes wrong inside a RabbitMQ without a word to the client, done to one consumer of a queue.
 *
 * forget   the queue no longer knows the consumer, as after a fault of a quorum queue
 * suspend  the process of the consumer's channel stands still; its connection goes on
 */
export type BrokerFault = 'forget' | 'suspend';

const ACTS: Readonly<Record<BrokerFault, string>> = {
  forget:
    '{ok, _, _} = ra:process_command(amqqueue:get_pid(Q), rabbit_fifo:make_checkout({Tag, Channel}, cancel, #{}))',
  suspend: 'sys:suspend(Channel)',
};

/** Queue by queue. */
export async function inTheBroker(rabbit: PrivateRabbit, faults: Readonly<Record<string, BrokerFault>>): Promise<void> {
  const acts = Object.entries(faults).map(
    ([queue, fault]) => `(fun() ->
      {ok, Q} = rabbit_amqqueue:lookup(rabbit_misc:r(<<"/">>, queue, <<"${queue}">>)),
      [Consumer | _] = rabbit_amqqueue:consumers(Q),
      Channel = element(1, Consumer), Tag = element(2, Consumer),
      ${ACTS[fault]}
    end)()`,
  );
  const done = await rabbit.rabbitmqctl('eval', `${acts.join(', ')}, done.`);
  if (done !== 'done') throw new Error(`the broker answered ${done}`);
}
