import { readFileSync } from 'node:fs';
import type { IncomingMessage, ServerResponse } from 'node:http';
import { createRequire } from 'node:module';
import { dirname } from 'node:path';
import ApiGateway from 'moleculer-web';
import { release } from '../../shared/runtime/release.ts';
import { securityHeaders } from './reply.ts';

type Alias = (request: IncomingMessage, response: ServerResponse) => void;

const load = (name: string) => readFileSync(new URL(`./pages/${name}`, import.meta.url), 'utf8');
const swaggerFolder = dirname(createRequire(import.meta.url).resolve('swagger-ui-dist/package.json'));

function serve(type: string, body: string): Alias {
  const bytes = Buffer.from(body);
  const headers = [...securityHeaders, 'content-type', type, 'content-length', String(bytes.length)];
  return (_request, response) => {
    response.writeHead(200, headers);
    response.end(bytes);
  };
}

export interface Documents {
  openapi: Record<string, unknown>;
  asyncapi: Record<string, unknown>;
  jwks: { keys: unknown[] };
}

/** moleculer-web's routes for all that is no command: pages, documents, Swagger UI. */
export function pageRoutes(
  { openapi, asyncapi, jwks }: Documents,
  hooks: Record<string, unknown>,
): Record<string, unknown>[] {
  const json = (value: object) => serve('application/json; charset=utf-8', JSON.stringify(value));
  const html = (text: string) => serve('text/html; charset=utf-8', text);
  const aliases = {
    'GET /': html(load('index.html').replace('{{version}}', release.version)),
    'GET /page.css': serve('text/css; charset=utf-8', load('page.css')),
    'GET /api/openapi.json': json(openapi),
    'GET /api/asyncapi.json': json(asyncapi),
    'GET /.well-known/jwks.json': json(jwks),
    'GET /api/docs': html(load('docs.html')),
    'GET /api/docs/init.js': serve('text/javascript; charset=utf-8', load('docs.init.js')),
    ...hooks,
  };
  return [
    {
      path: '/api/docs',
      use: [setSecurityHeaders, ApiGateway.serveStatic(swaggerFolder, { index: false, maxAge: '1h' })],
      logging: false,
    },
    { path: '/', aliases, mappingPolicy: 'restrict', bodyParsers: false, logging: false },
  ];
}

function setSecurityHeaders(_request: IncomingMessage, response: ServerResponse, next: () => void): void {
  for (let index = 0; index < securityHeaders.length; index += 2) {
    response.setHeader(securityHeaders[index] as string, securityHeaders[index + 1] as string);
  }
  next();
}
