import type { Config } from '../../shared/runtime/config.ts';
import { perMinute } from '../core/limits.ts';
import { presenceReporter } from '../core/presence.reporter.ts';
import { embeddedBroker } from './embedded.broker.ts';
import type { RunningMqtt } from './external.start.ts';
import { type MqttGatewayDeps, startMqttGateway } from './mqtt.gateway.ts';

type EmbeddedDeps = Omit<MqttGatewayDeps, 'broker' | 'config' | 'limit'> & {
  config: Config;
  /** Unique name of this process. */
  name: string;
};

/** The MQTT gateway with a broker of its own, for the one-process mode. */
export async function startEmbeddedMqtt(deps: EmbeddedDeps): Promise<RunningMqtt> {
  const { config, authenticator, bus, log } = deps;
  const presence = await presenceReporter(`${deps.name}-mqtt`, bus);
  const broker = await embeddedBroker({
    host: config.host,
    port: config.mqttPort,
    ...(config.mqttWsPort !== undefined && { wsPort: config.mqttWsPort }),
    baseTopic: config.mqttBaseTopic,
    anonymous: config.mqttAnonymous,
    origins: config.corsOrigins,
    trustProxy: config.trustProxy,
    authenticator,
    log,
    limit: perMinute(config.rateLimitConnections, 'mqtt-connections'),
    presence: {
      joined: (id, { id: userId, username, email }) =>
        presence.joined({
          id,
          protocol: 'mqtt',
          user: { id: userId, username, email },
          since: new Date().toISOString(),
        }),
      left: (id) => presence.left(id),
    },
  });
  const gateway = await startMqttGateway({
    ...deps,
    broker,
    config: {
      baseTopic: config.mqttBaseTopic,
      eventTopics: config.mqttEventTopics,
      isOpen: config.mqttAnonymous === 'events',
    },
    limit: perMinute(config.rateLimitMessages, 'mqtt'),
  });
  const host = config.host.includes(':') ? `[${config.host}]` : config.host;
  return {
    healthy: gateway.healthy,
    address: `mqtt://${host}:${broker.port}`,
    async stop() {
      await gateway.stop();
      await presence.stop();
    },
  };
}
