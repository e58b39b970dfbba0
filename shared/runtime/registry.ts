import { collectDefaultMetrics, Registry } from 'prom-client';

/** A registry with Node.js's own metrics, one per process. */
export function processRegistry(): Registry {
  const registry = new Registry();
  collectDefaultMetrics({ register: registry });
  return registry;
}
