import type { HttpDriverOptions } from './http.driver.types.ts';

const problem = 'HttpDriver is a server and runs in Node.js; in a browser use EventDataClientInstance or createClient';

/** A browser cannot listen. */
export class HttpDriver {
  /** @throws Error always */
  constructor(_options: HttpDriverOptions = {}) {
    throw new Error(problem);
  }

  listen(_port: number, _host?: string): Promise<{ host: string; port: number }> {
    return Promise.reject(new Error(problem));
  }

  close(): Promise<void> {
    return Promise.reject(new Error(problem));
  }
}
