# What rabbitmq:4 has, as far as we use it: the broker in the foreground as its own user, data in a volume, settings in
# /etc/rabbitmq/conf.d.
FROM debian:trixie-slim
RUN printf '#!/bin/sh\nexit 101\n' >/usr/sbin/policy-rc.d && chmod +x /usr/sbin/policy-rc.d \
 && apt-get update -qq \
 && DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends rabbitmq-server util-linux >/dev/null \
 && rm -rf /var/lib/apt/lists/* /var/lib/rabbitmq/.erlang.cookie /var/lib/rabbitmq/mnesia /usr/sbin/policy-rc.d \
 && mkdir -p /etc/rabbitmq/conf.d && echo 'log.console = true' >/etc/rabbitmq/conf.d/10-defaults.conf
VOLUME /var/lib/rabbitmq
USER rabbitmq
ENV HOME=/var/lib/rabbitmq RABBITMQ_LOGS=-
CMD ["/usr/lib/rabbitmq/bin/rabbitmq-server"]
