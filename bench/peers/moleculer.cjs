'use strict';
/**
 * Bare Moleculer 0.15 and moleculer-web 0.11 as their guides show them: `node moleculer.cjs all|gateway|service`.
 * Needs BENCH_PORT, JWT_SECRET, NATS_URL (unless `all`) and what store.cjs needs.
 */
const { ServiceBroker } = require('moleculer');
const ApiGateway = require('moleculer-web');
const jwt = require('jsonwebtoken');
const { openStore } = require('./store.cjs');

const [role] = process.argv.slice(2);

const gateway = {
  name: 'api',
  mixins: [ApiGateway],
  settings: {
    port: Number(process.env.BENCH_PORT),
    ip: '127.0.0.1',
    logRequest: null,
    logResponse: null,
    routes: [
      {
        path: '/api',
        authentication: true,
        mappingPolicy: 'restrict',
        bodyParsers: { json: true },
        aliases: { 'GET cameras': 'cameras.list', 'GET cameras/:id': 'cameras.read' },
      },
    ],
  },
  methods: {
    authenticate(_ctx, _route, request) {
      const token = /^Bearer (\S+)$/.exec(request.headers.authorization ?? '')?.[1];
      try {
        return jwt.verify(token, process.env.JWT_SECRET, { algorithms: ['HS256'] });
      } catch {
        throw new ApiGateway.Errors.UnAuthorizedError(ApiGateway.Errors.ERR_INVALID_TOKEN);
      }
    },
  },
};

const cameras = (store) => ({
  name: 'cameras',
  actions: {
    list: {
      params: {
        page: { type: 'number', integer: true, min: 1, max: 10_000, default: 1, convert: true },
        itemsPerPage: { type: 'number', integer: true, min: 1, max: 100, default: 10, convert: true },
      },
      handler: (ctx) => store.list(ctx.params.page, ctx.params.itemsPerPage),
    },
    read: {
      params: { id: { type: 'string', min: 1, max: 256 } },
      handler: (ctx) => store.read(ctx.params.id),
    },
  },
});

async function main() {
  const broker = new ServiceBroker({
    nodeID: `${role}-${process.pid}`,
    namespace: 'peer',
    logLevel: 'warn',
    ...(role !== 'all' && { transporter: process.env.NATS_URL }),
  });
  if (role !== 'service') broker.createService(gateway);
  if (role !== 'gateway') broker.createService(cameras(await openStore()));
  await broker.start();
  process.stdout.write('peer is ready\n');
  process.once('SIGTERM', () => broker.stop().then(() => process.exit(0)));
}

main();
