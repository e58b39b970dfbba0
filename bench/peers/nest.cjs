'use strict';
/**
 * NestJS 11 on Fastify, with its NATS microservice, as its guides show them: `node nest.cjs all|gateway|service`.
 * Needs BENCH_PORT, BENCH_AUTH (`off`: no guard), JWT_SECRET, NATS_URL (unless `all`) and what store.cjs needs.
 */
const { method, property, type } = require('./nest.decorate.cjs');
const common = require('@nestjs/common');
const { NestFactory } = require('@nestjs/core');
const { JwtModule, JwtService } = require('@nestjs/jwt');
const { ClientsModule, MessagePattern, Payload, Transport } = require('@nestjs/microservices');
const { FastifyAdapter } = require('@nestjs/platform-fastify');
const { Type } = require('class-transformer');
const { IsInt, IsOptional, Max, Min } = require('class-validator');
const { openStore } = require('./store.cjs');

const [role] = process.argv.slice(2);
const nats = { transport: Transport.NATS, options: { servers: [process.env.NATS_URL], queue: 'cameras' } };

class ListQuery {
  page = 1;
  itemsPerPage = 10;
}
property(ListQuery, 'page', [IsOptional(), Type(() => Number), IsInt(), Min(1), Max(10_000)]);
property(ListQuery, 'itemsPerPage', [IsOptional(), Type(() => Number), IsInt(), Min(1), Max(100)]);

class BearerGuard {
  constructor(tokens) {
    this.tokens = tokens;
  }
  async canActivate(context) {
    const request = context.switchToHttp().getRequest();
    const token = /^Bearer (\S+)$/.exec(request.headers.authorization ?? '')?.[1];
    try {
      request.user = await this.tokens.verifyAsync(token);
    } catch {
      throw new common.UnauthorizedException();
    }
    return true;
  }
}
type(BearerGuard, [common.Injectable()], [common.Inject(JwtService)]);

const guards = process.env.BENCH_AUTH === 'off' ? [] : [BearerGuard];

/** Asks the service over NATS, or the store where both are in this process. */
class CamerasController {
  constructor(source) {
    this.source = source;
  }
  list(query) {
    return role === 'all' ? this.source.list(query.page, query.itemsPerPage) : this.source.send('cameras.list', query);
  }
  read(id) {
    return role === 'all' ? this.source.read(id) : this.source.send('cameras.read', { id });
  }
}
method(CamerasController, 'list', [common.Get()], { parameters: [common.Query()], types: [ListQuery] });
method(CamerasController, 'read', [common.Get(':id')], { parameters: [common.Param('id')], types: [String] });
type(
  CamerasController,
  [common.Controller('api/cameras'), common.UseGuards(...guards)],
  [common.Inject(role === 'all' ? 'STORE' : 'CAMERAS')],
);

class CamerasService {
  constructor(store) {
    this.store = store;
  }
  list({ page, itemsPerPage }) {
    return this.store.list(page, itemsPerPage);
  }
  read({ id }) {
    return this.store.read(id);
  }
}
method(CamerasService, 'list', [MessagePattern('cameras.list')], { parameters: [Payload()], types: [Object] });
method(CamerasService, 'read', [MessagePattern('cameras.read')], { parameters: [Payload()], types: [Object] });
type(CamerasService, [common.Controller()], [common.Inject('STORE')]);

const storeProvider = { provide: 'STORE', useFactory: openStore };
class GatewayModule {}
type(GatewayModule, [
  common.Module({
    imports: [
      JwtModule.register({ secret: process.env.JWT_SECRET, verifyOptions: { algorithms: ['HS256'] } }),
      ...(role === 'gateway' ? [ClientsModule.register([{ name: 'CAMERAS', ...nats }])] : []),
    ],
    controllers: [CamerasController],
    providers: [BearerGuard, ...(role === 'all' ? [storeProvider] : [])],
  }),
]);
class ServiceModule {}
type(ServiceModule, [common.Module({ controllers: [CamerasService], providers: [storeProvider] })]);

async function startGateway() {
  const app = await NestFactory.create(GatewayModule, new FastifyAdapter(), { logger: ['error', 'warn'] });
  app.useGlobalPipes(new common.ValidationPipe({ transform: true, whitelist: true, forbidNonWhitelisted: true }));
  await app.listen(Number(process.env.BENCH_PORT), '127.0.0.1');
  return app;
}

async function startService() {
  const app = await NestFactory.createMicroservice(ServiceModule, { ...nats, logger: ['error', 'warn'] });
  await app.listen();
  return app;
}

(role === 'service' ? startService() : startGateway()).then((app) => {
  process.stdout.write('peer is ready\n');
  process.once('SIGTERM', () => app.close().then(() => process.exit(0)));
});
