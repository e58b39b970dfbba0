import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import cors from 'cors';
import type { ServiceBroker, ServiceSchema } from 'moleculer';
import ApiGateway from 'moleculer-web';
import { asyncapi } from '../../shared/contracts/derive/asyncapi.ts';
import { Failure, httpContracts, type ServiceContract } from '../../shared/contracts/index.ts';
import type { Bus } from '../../shared/fanout/bus.ts';
import type { Fanout } from '../../shared/fanout/fanout.ts';
import type { Config } from '../../shared/runtime/config.ts';
import { toFailure } from '../../shared/runtime/failure.ts';
import type { Keyring } from '../../shared/runtime/keyring.ts';
import type { Log } from '../../shared/runtime/log.ts';
import { close, type Endpoints, listen } from '../../shared/runtime/operator.ts';
import { anonymous } from '../../shared/runtime/principal.ts';
import { release } from '../../shared/runtime/release.ts';
import { announcing } from '../core/announcing.ts';
import type { GatewayCore } from '../core/core.ts';
import type { Authenticator } from '../core/dispatch.types.ts';
import { createDispatcher } from '../core/dispatcher.ts';
import { perMinuteOfAll } from '../core/limits.ts';
import type { GatewayMetrics } from '../core/metrics.ts';
import { corsOptions } from '../core/origins.ts';
import { requestAuthenticator } from './authenticate.ts';
import { commandHandler, requestIdOf } from './commands.ts';
import { guesses } from './guesses.ts';
import { mediaHooks } from './media.hooks.ts';
import { type MqttHookDeps, mqttHooks } from './mqtt.hooks.ts';
import { pageRoutes } from './pages.ts';
import { pushService } from './push.service.ts';
import { writeFailure } from './reply.ts';

export interface HttpDeps {
  broker: ServiceBroker;
  contracts: readonly ServiceContract[];
  openapi: Record<string, unknown>;
  config: Pick<Config, 'host' | 'httpPort' | 'corsOrigins' | 'trustProxy' | 'rateLimitHttp' | 'authStrategy'> &
    MqttHookDeps['config'];
  authenticator: Authenticator;
  callAs: GatewayCore['callAs'];
  bus: Bus;
  fanout: Fanout;
  log: Log;
  keyring: Keyring;
  metrics: GatewayMetrics;
  /** `/live`, `/ready`, `/health`, `/metrics`: true where it answered. */
  operator: Endpoints;
}

type NodeHandler = (request: IncomingMessage, response: ServerResponse) => unknown;
const operatorPaths = new Set(['/live', '/ready', '/health', '/metrics']);

/**
 * moleculer-web with the routes of the contracts. Commands are answered before its own route pipeline, which costs
 * more than all the rest of a request; pages and documents go through it.
 */
export async function startHttpGateway(deps: HttpDeps): Promise<{ server: Server; stop(): Promise<void> }> {
  const { broker, bus, config, log, metrics } = deps;
  const contracts = [...deps.contracts, ...httpContracts];
  const limit = await perMinuteOfAll(config.rateLimitHttp, 'http', bus);
  const failures = await perMinuteOfAll(config.rateLimitHttp, 'http-failures', bus);
  const guessed = guesses(failures, config);
  const authenticate = requestAuthenticator({ ...deps, guesses: guessed });
  for (const push of pushService(deps.fanout, log)) broker.createService(push);
  const commands = commandHandler({
    config,
    contracts,
    dispatcher: announcing(createDispatcher({ contracts, broker, metrics, log }), deps.fanout),
    authenticate,
    limit,
    packet: (direction) => metrics.packet('http', direction),
  });
  const allowed = corsOptions(config.corsOrigins);
  const allowOrigin = allowed && cors(allowed);
  const stock = (ApiGateway as unknown as ServiceSchema).methods?.httpHandler as unknown as (
    ...args: unknown[]
  ) => unknown;

  const schema: ServiceSchema = {
    name: 'http-gateway',
    mixins: [ApiGateway as never],
    settings: {
      server: false,
      path: '/',
      routes: pageRoutes(
        {
          openapi: deps.openapi,
          asyncapi: asyncapi(deps.contracts, { version: release.version, baseTopic: config.mqttBaseTopic }),
          jwks: deps.keyring.jwks(),
        },
        { ...mqttHooks({ ...deps, authenticate, guesses: guessed }), ...mediaHooks(deps.callAs(anonymous)) },
      ),
      logRequest: null,
      logResponse: null,
      logRouteRegistration: null,
      onError: (request: IncomingMessage, response: ServerResponse, error: Error) =>
        writeFailure(response, requestIdOf(request), pageFailure(error)),
    } as Record<string, unknown>,
    actions: {
      // Its pages and hooks are one action to moleculer: whoever holds its places would keep everybody from all of them.
      rest: { bulkhead: { enabled: false } },
      // Nobody changes routes from afar.
      listAliases: false,
      addRoute: false,
      removeRoute: false,
    },
    methods: {
      httpHandler(request: IncomingMessage, response: ServerResponse, next: unknown) {
        if (operatorPaths.has(request.url as string)) {
          return deps.operator(request, response).then((done) => done || stock.call(this, request, response, next));
        }
        if (commands(request, response)) return true;
        // Its aliases know no HEAD; Node leaves the body out by the method that arrived.
        if (request.method === 'HEAD') request.method = 'GET';
        return stock.call(this, request, response, next);
      },
    },
  };
  const service = broker.createService(schema);
  const handle = (service as unknown as { httpHandler: NodeHandler }).httpHandler;
  const server = createServer(
    { requestTimeout: 30_000, headersTimeout: 10_000, keepAliveTimeout: 65_000 },
    allowOrigin
      ? (request, response) => allowOrigin(request as never, response as never, () => handle(request, response))
      : handle,
  );
  await listen(server, { host: config.host, port: config.httpPort });
  return {
    server,
    async stop() {
      await close(server);
      await limit.stop();
      await failures.stop();
    },
  };
}

/** moleculer-web's own errors are those of pages: a path nobody serves, or a page that broke. */
function pageFailure(error: Error & { code?: number }): Failure {
  return error.code === 404 || error.code === 405 ? new Failure('NOT_FOUND') : toFailure(error);
}
