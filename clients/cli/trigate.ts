#!/usr/bin/env node
import { Command } from 'commander';
import { release } from '../../shared/runtime/release.ts';
import { checkConfig } from './config.check.ts';
import { rekeyAll } from './rekey.ts';
import { callCommand } from './request.ts';

const print = (value: unknown) => process.stdout.write(`${JSON.stringify(value, null, 2)}\n`);
const fail = (message: string): never => {
  process.stderr.write(`trigate: ${message}\n`);
  process.exit(1);
};

const program = new Command('trigate')
  .description('Sends a command to a running Trigate')
  .version(release.version)
  .showHelpAfterError();

program
  .command('config')
  .description('look at the configuration of this environment')
  .command('check [role]')
  .description('all (default), services, gateway:http, gateway:socketio or gateway:mqtt')
  .action((role = 'all') => {
    const problem = checkConfig(role, process.env);
    if (problem) fail(problem);
    process.stdout.write(`the configuration of ${role} is valid\n`);
  });

const { TRIGATE_URL: url = 'http://127.0.0.1:3000', TRIGATE_TOKEN: token } = process.env;

program
  .command('rekey')
  .description('seal all stored secrets anew with the first of ENCRYPTION_KEYS; Trigate goes on running')
  .action(async () => {
    const problem = await rekeyAll({ url, token }, (line) => process.stdout.write(`${line}\n`));
    if (problem) fail(problem);
  });

program
  .argument('<command>', 'list, read, create, update, delete, …')
  .argument('<module>', 'users, cameras, rooms, …')
  .argument('[entity]', 'the id of a record; may be left out where a command takes none')
  .argument('[json]', 'the payload')
  .addHelpText('after', '\nTRIGATE_URL (default http://127.0.0.1:3000), TRIGATE_TOKEN: a bearer token or an API key')
  .action(async (command: string, module: string, entity?: string, json?: string) => {
    const answer = await callCommand({ url, token, command, module, arguments: [entity, json] });
    if ('problem' in answer) fail(answer.problem);
    else if (answer.result !== undefined) print(answer.result);
  });

await program.parseAsync().catch((error: Error) => fail(error.message));
