import { type HttpRoute, httpRoutes } from '../../shared/contracts/derive/http.ts';
import { Failure, type ServiceContract } from '../../shared/contracts/index.ts';

export interface Found {
  route: HttpRoute;
  entity: string | undefined;
}

const apiPrefix = '/api/';
/** A long entity has up to 4,096 characters, and may be percent-encoded. */
const maxPathLength = 8_192;
/** First parts of paths that are somebody else's: pages, probes, Socket.IO. No event is posted to them. */
const ownNames = new Set(['api', 'live', 'ready', 'health', 'metrics', 'socket.io', 'page.css', '.well-known']);

/** A path below `/api/` as its decoded parts; null where it is none of ours. @throws Failure INVALID_REQUEST */
function partsOf(path: string): string[] | null {
  if (!path.startsWith(apiPrefix) || path.length > maxPathLength) return null;
  const trimmed = path.endsWith('/') ? path.slice(apiPrefix.length, -1) : path.slice(apiPrefix.length);
  const parts = trimmed.split('/');
  if (parts.length > 3 || parts.includes('')) return null;
  return parts.map(decode);
}

/** @throws Failure INVALID_REQUEST */
function decode(part: string): string {
  try {
    return part.includes('%') ? decodeURIComponent(part) : part;
  } catch {
    throw new Failure('INVALID_REQUEST', 'The path is not percent-encoded UTF-8');
  }
}

/** The one part of a path that has only one: `/name`. */
function nameOf(path: string): string | undefined {
  const name = /^\/([^/]+)\/?$/.exec(path)?.[1];
  return name === undefined || path.length > maxPathLength || ownNames.has(name) ? undefined : name;
}

/** A path of several parts that names no entity, such as `/credentials/authorize`. */
const isFixed = (path: string): boolean => !path.includes('{') && path.replace(apiPrefix, '').slice(1).includes('/');

/** `/api/<module>/<all the rest>`, where the rest holds a slash that is not its last character. */
const longEntity = /^\/api\/([^/]+)\/([^/]*\/.*?[^/])\/?$/;

const shapeOf = ([module, entity, command]: readonly string[]): string =>
  command !== undefined ? `${module}/{id}/${command}` : entity !== undefined ? `${module}/{id}` : `${module}`;

/**
 * The routes of all contracts as one table. Looking a request up is a few map reads whatever the number of routes;
 * moleculer-web's own route pipeline, which walks them, halves the requests per second (bench/README.md).
 */
export function createRouter(contracts: readonly ServiceContract[]) {
  const shapes = new Map<string, Map<string, HttpRoute>>();
  const modules = new Set(contracts.flatMap(({ modules }) => Object.keys(modules)));
  const named = new Map<string, HttpRoute>();
  const fixed = new Map<string, HttpRoute>();
  const long = new Map<string, HttpRoute>();
  for (const route of httpRoutes(contracts)) {
    if (isFixed(route.path)) {
      fixed.set(`${route.method} ${route.path}`, route);
      continue;
    }
    if (!route.path.startsWith(apiPrefix)) {
      named.set(route.method, route);
      continue;
    }
    if (route.contract.longEntity) long.set(`${route.method} ${route.module}`, route);
    modules.add(route.path.slice(apiPrefix.length).split('/', 1)[0] as string);
    const shape = route.path.slice(apiPrefix.length);
    const methods = shapes.get(shape) ?? new Map<string, HttpRoute>();
    shapes.set(shape, methods.set(route.method, route));
  }

  return {
    /**
     * Null for a path that belongs to no module; the methods that are allowed where this one is not.
     * @throws Failure NOT_FOUND for a module's path that is no command
     */
    find(asked: string, path: string): Found | { allow: string } | null {
      const method = asked === 'HEAD' ? 'GET' : asked;
      // Not for HEAD: what looks ahead at a link must not use it up.
      const exact = fixed.get(`${asked} ${path}`);
      if (exact) return { route: exact, entity: undefined };
      const rest = path.length > maxPathLength ? null : longEntity.exec(path);
      const whole = rest && long.get(`${method} ${rest[1]}`);
      if (whole) return { route: whole, entity: decode(rest[2] as string) };
      const own = path.startsWith(apiPrefix) ? undefined : named.get(method);
      const name = own && nameOf(path);
      if (name !== undefined) return { route: own as HttpRoute, entity: decode(name) };
      const parts = partsOf(path);
      if (!parts || !modules.has(parts[0] as string)) return null;
      const methods = shapes.get(shapeOf(parts));
      if (!methods) throw new Failure('NOT_FOUND', `The module ${parts[0]} has no such command`);
      const route = methods.get(method);
      return route ? { route, entity: parts[1] } : { allow: [...methods.keys()].join(', ') };
    },
  };
}
