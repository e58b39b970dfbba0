import { z } from 'zod';
import { type GoogleDevice, googleDevice } from '../../../shared/contracts/cameras.contract.ts';
import { deviceName } from '../../../shared/contracts/fields.ts';
import { type Refusal, refusalOf, refused } from './refusals.rules.ts';
import { askGoogle, type GoogleReply } from './request.ts';

/** Milliseconds; a battery camera takes seconds to wake. */
const commandMs = 8_000;
const listMs = 6_000;
/** Pages of a list that are followed. */
const maxPages = 20;

export interface Command {
  /** `enterprises/<project>/devices/<device>` */
  device: string;
  /** Without its prefix. */
  command: string;
  params: Record<string, unknown>;
}

export interface Listed {
  ok: true;
  devices: GoogleDevice[];
  /** Entries that were no device. */
  malformed: number;
  /** Of every entry, also of those; null where one has none, so that what is not shared cannot be known. */
  names: string[] | null;
}

const named = z.object({ name: deviceName });

/** The Smart Device Management API at a base URL. */
export function sdmClient(base: string) {
  const ask = (path: string, token: string, timeoutMs: number, json?: object): Promise<GoogleReply | Refusal> =>
    askGoogle({ url: `${base}/${path}`, authorization: `Bearer ${token}`, timeoutMs, ...(json && { json }) }).catch(
      (error: Error) => refused('unavailable', `Google did not answer: ${causeOf(error)}`),
    );

  return {
    /** At most 8 s. The answer whatever its status; a refusal where none came. */
    execute: ({ device, command, params }: Command, token: string, withinMs: number) =>
      ask(`${device}:executeCommand`, token, Math.min(commandMs, withinMs), {
        command: `sdm.devices.commands.${command}`,
        params,
      }),

    /** Every device of a project that the token reaches. */
    async list(project: string, token: string): Promise<Listed | (Refusal & { status?: number })> {
      const listed: Listed = { ok: true, devices: [], malformed: 0, names: [] };
      let page = '';
      for (let pages = 0; pages < maxPages; pages += 1) {
        const query = page && `?pageToken=${encodeURIComponent(page)}`;
        const reply = await ask(`enterprises/${encodeURIComponent(project)}/devices${query}`, token, listMs);
        if ('ok' in reply) return reply;
        if (reply.status !== 200 || !reply.body) return { ...refusalOf('list', reply), status: reply.status };
        const found = Array.isArray(reply.body.devices) ? reply.body.devices : [];
        for (const one of found) add(listed, one);
        const { nextPageToken } = reply.body;
        if (typeof nextPageToken !== 'string' || nextPageToken === '') return listed;
        page = nextPageToken;
      }
      return refused('unavailable', `Google's list of devices has more than ${maxPages} pages`);
    },
  };
}

function add(listed: Listed, entry: unknown): void {
  const device = googleDevice.safeParse(entry);
  if (device.success) listed.devices.push(device.data);
  else listed.malformed += 1;
  const { data } = named.safeParse(entry);
  if (data) listed.names?.push(data.name);
  else listed.names = null;
}

export type SdmClient = ReturnType<typeof sdmClient>;

/** `fetch failed` says nothing; its cause does. */
const causeOf = (error: Error): string => ((error.cause as Error | undefined)?.message ?? error.message).slice(0, 200);
