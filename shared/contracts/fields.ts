import { z } from 'zod';

/** ISO 8601 in UTC. */
export const timestamp = z.iso.datetime();

/** What every stored record answers with. */
export const recordFields = { id: z.string(), createdAt: timestamp, updatedAt: timestamp };

// biome-ignore lint/suspicious/noControlCharactersInRegex: control characters are what is refused
export const noControl = /^[^\u0000-\u001f\u007f]*$/;

/** One line of text a person reads. */
export const line = (max: number) => z.string().min(1).max(max).regex(noControl, 'control characters are not allowed');

/** Of Google Device Access; stable and opaque. */
export const deviceName = z
  .string()
  .max(512)
  .regex(/^enterprises\/[\w-][\w.~-]*\/devices\/[\w-][\w.~-]*$/, 'enterprises/<project>/devices/<device>');

export const role = z.enum(['admin', 'user']);

/** Whether a name stands for the holders of a role. */
export const isRole = (name: string): name is z.output<typeof role> => role.safeParse(name).success;

/**
 * Pages are bounded so that no request makes a store skip without end; `sortBy` takes only indexed keys.
 * Units: `page` from 1, `itemsPerPage` records.
 */
export const listQuery = <const K extends readonly [string, ...string[]]>(sortKeys: K) =>
  z.strictObject({
    page: z.int().min(1).max(10_000).default(1),
    itemsPerPage: z.int().min(1).max(100).default(10),
    sortBy: z
      .array(z.strictObject({ key: z.enum(sortKeys), order: z.enum(['asc', 'desc']).default('asc') }))
      .max(3)
      .default([]),
    search: z.string().max(255).nullable().default(null),
  });

export const listResult = <R extends z.ZodType>(record: R) =>
  z.object({
    items: z.array(record),
    total: z.int().min(0),
    page: z.int().min(1),
    itemsPerPage: z.int().min(1),
  });

/**
 * Any JSON that a client passes on. It is not walked here: it came out of a JSON parser, whose caller checked size, depth
 * and keys, and `z.json()` takes a fifth of a second for 1 MB.
 */
export const jsonValue = z.unknown().refine((value) => value !== undefined, 'is required');
