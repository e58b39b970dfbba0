import type { Config } from '../../shared/runtime/config.ts';
import { perMinute } from '../core/limits.ts';
import { EmqxApi } from './emqx/api.ts';
import { EmqxSessions } from './emqx/revoked.ts';
import { externalBroker } from './external.broker.ts';
import { type MqttGatewayDeps, startMqttGateway } from './mqtt.gateway.ts';

type ExternalDeps = Omit<MqttGatewayDeps, 'broker' | 'config' | 'limit'> & {
  config: Pick<
    Config,
    | 'emqxApiUrl'
    | 'emqxApiKey'
    | 'emqxApiSecret'
    | 'mqttAnonymous'
    | 'mqttUrl'
    | 'mqttUsername'
    | 'mqttPassword'
    | 'mqttBaseTopic'
    | 'mqttEventTopics'
    | 'rateLimitMessages'
  >;
};

export interface RunningMqtt {
  stop(): Promise<void>;
  healthy(): boolean;
  /** What clients connect to. */
  address: string;
}

/** The MQTT gateway as a client of Mosquitto or EMQX; several of them share the requests. */
export async function startExternalMqtt(deps: ExternalDeps): Promise<RunningMqtt> {
  const { config, log } = deps;
  const url = config.mqttUrl as string;
  const broker = externalBroker({
    url,
    baseTopic: config.mqttBaseTopic,
    log,
    ...(config.mqttUsername !== undefined && { username: config.mqttUsername }),
    ...(config.mqttPassword !== undefined && { password: config.mqttPassword }),
  });
  const { emqxApiUrl, emqxApiKey = '', emqxApiSecret = '' } = config;
  const api = emqxApiUrl && new EmqxApi({ url: emqxApiUrl, key: emqxApiKey, secret: emqxApiSecret });
  const sessions = api ? new EmqxSessions({ ...deps, api }) : undefined;
  const gateway = await startMqttGateway({
    ...deps,
    broker,
    config: {
      baseTopic: config.mqttBaseTopic,
      eventTopics: config.mqttEventTopics,
      isOpen: config.mqttAnonymous === 'events',
    },
    limit: perMinute(config.rateLimitMessages, 'mqtt'),
    strangersLimit: perMinute(config.rateLimitMessages, 'mqtt-strangers'),
  });
  const { protocol, host } = new URL(url);
  return {
    healthy: gateway.healthy,
    address: `${protocol}//${host}`,
    async stop() {
      sessions?.stop();
      await gateway.stop();
    },
  };
}
