import { setTimeout as delay } from 'node:timers/promises';
import { type Answer, type Ask, GoogleError, json } from './http.ts';
import type { Images } from './images.ts';
import type { GoogleDevice } from './models.ts';
import type { Grant, OAuth } from './oauth.ts';
import type { Quota } from './quota.ts';
import type { Sessions } from './sessions.ts';

export interface Shared {
  user: string;
  device: GoogleDevice;
  battery: boolean;
  /** The camera is off: it runs no command. */
  off: boolean;
}

interface Failing {
  times: number;
  error: GoogleError;
}

const prefix = 'sdm.devices.commands.';
const pageSize = 100;

/** The Smart Device Management API: devices.list, devices.get, executeCommand. */
export class Sdm {
  readonly #oauth: OAuth;
  readonly #quota: Quota;
  readonly #sessions: Sessions;
  readonly #images: Images;
  readonly devices = new Map<string, Shared>();
  readonly #failing = new Map<string, Failing>();
  /** Where pictures are to be had. */
  base = '';
  pageSize = pageSize;
  lists = 0;
  /** What happens between the question for a list and its answer. */
  whileListing: () => unknown = () => undefined;
  /** Milliseconds that a command takes. */
  slowMs = 0;
  /** Every command that arrived, also those that were refused. */
  readonly commands: { device: string; command: string; at: number }[] = [];

  constructor(oauth: OAuth, quota: Quota, sessions: Sessions, images: Images) {
    this.#oauth = oauth;
    this.#quota = quota;
    this.#sessions = sessions;
    this.#images = images;
  }

  /** So many of the next calls of a command, or of `list`, end with this error. */
  fail(command: string, times: number, error: GoogleError): void {
    this.#failing.set(command, { times, error });
  }

  answer: Answer = async (ask) => {
    const [, project, id, verb] = /^\/v1\/enterprises\/([^/]+)\/devices(?:\/([^/:]+)(:\w+)?)?$/.exec(ask.path) ?? [];
    if (!project) return null;
    const grant = this.#oauth.granted(ask);
    if (grant.client.dac_project_id !== project) {
      throw new GoogleError(404, 'NOT_FOUND', `Enterprise ${project} not found.`);
    }
    if (id === undefined) {
      await this.whileListing();
      return this.#list(grant, ask);
    }
    const shared = this.devices.get(`enterprises/${project}/devices/${id}`);
    if (verb === undefined) this.#quota.get(grant.user);
    if (!shared) throw new GoogleError(404, 'NOT_FOUND', `Device enterprises/${project}/devices/${id} not found.`);
    if (shared.user !== grant.user) throw new GoogleError(403, 'PERMISSION_DENIED', 'The caller has no permission.');
    if (verb === undefined) return json(shared.device);
    if (verb !== ':executeCommand' || ask.method !== 'POST') return null;
    return json({ results: await this.#execute(grant, shared, ask) });
  };

  #list(grant: Grant, { query }: Ask) {
    this.lists += 1;
    this.#quota.list(grant.user);
    this.#failIfAsked('list');
    grant.listed = true;
    const all = [...this.devices.values()].filter(({ user, device }) => {
      return user === grant.user && device.name.startsWith(`enterprises/${grant.client.dac_project_id}/`);
    });
    if (all.length === 0) return json({});
    const from = Number(query.get('pageToken') ?? 0);
    const to = from + this.pageSize;
    const devices = all.slice(from, to).map(({ device }) => device);
    return json({ devices, ...(to < all.length && { nextPageToken: String(to) }) });
  }

  async #execute(grant: Grant, { device, battery, off }: Shared, { body, gone }: Ask): Promise<object> {
    const full = String(body.command ?? '');
    const [trait, command] = full.startsWith(prefix) ? full.slice(prefix.length).split('.', 2) : [];
    this.commands.push({ device: device.name, command: `${trait}.${command}`, at: Date.now() });
    if (this.slowMs > 0) await Promise.race([delay(this.slowMs, undefined, { ref: false }), gone]);
    this.#quota.execute(grant.user, device.name, device.type, full);
    if (!trait || !command) throw new GoogleError(404, 'NOT_FOUND', `Command ${full} not found.`);
    this.#failIfAsked(`${trait}.${command}`);
    if (off) throw new GoogleError(400, 'FAILED_PRECONDITION', 'Precondition check failed.');
    const params = (body.params ?? {}) as Record<string, unknown>;
    if (trait === 'CameraLiveStream') return this.#sessions.run(device, battery, command, params);
    const pictured = device.traits['sdm.devices.traits.CameraEventImage'];
    if (trait === 'CameraEventImage' && command === 'GenerateImage' && pictured) {
      return this.#images.generate(device.name, params.eventId, this.base);
    }
    throw new GoogleError(404, 'NOT_FOUND', `Command ${full} not found.`);
  }

  #failIfAsked(command: string): void {
    const failing = this.#failing.get(command);
    if (!failing || failing.times <= 0) return;
    failing.times -= 1;
    throw failing.error;
  }
}
