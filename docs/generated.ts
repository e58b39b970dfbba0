import { asyncapi } from '../shared/contracts/derive/asyncapi.ts';
import { errorsMarkdown } from '../shared/contracts/derive/errors.ts';
import { openapi } from '../shared/contracts/derive/openapi.ts';
import { typescript } from '../shared/contracts/derive/typescript.ts';
import { contracts, httpContracts } from '../shared/contracts/index.ts';
import { configTable } from '../shared/runtime/config.ts';
import { variables } from '../shared/runtime/config.variables.ts';

/** Files of the repository that are made, wholly or between markers, and how: from the text that is there. */
export function generated(version: string): Record<string, (before: string) => string> {
  const baseTopic = variables.MQTT_BASE_TOPIC.default;
  const json = (value: unknown) => () => `${JSON.stringify(value, null, 2)}\n`;
  return {
    'docs/openapi.json': json(openapi([...contracts, ...httpContracts], { version })),
    'docs/asyncapi.json': json(asyncapi(contracts, { version, baseTopic })),
    'clients/sdk/api.generated.ts': () => typescript(contracts),
    'README.md': (before) => between(between(before, 'variables', configTable()), 'errors', errorsMarkdown()),
  };
}

/** The text with what stands between `<!-- name:start -->` and `<!-- name:end -->` replaced. @throws Error without them */
export function between(text: string, name: string, content: string): string {
  const start = `<!-- ${name}:start -->`;
  const end = `<!-- ${name}:end -->`;
  const from = text.indexOf(start);
  const to = text.indexOf(end, from);
  if (from === -1 || to === -1) throw new Error(`${start} and ${end} are not there`);
  return `${text.slice(0, from + start.length)}\n${content}\n${text.slice(to)}`;
}
