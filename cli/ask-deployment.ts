// `--stack NAME` of a command that asks: answers by the routes of the ops API, without a server.
import { createOpsApp, type OpsRequest } from '#ops/api/ops-app.ts';
import { mailRoutes } from '#ops/api/routes.ts';
import { readBody } from '#pipeline/contract/stored-body.ts';
import { type CliArguments, type CliWorld, optionValue, usageError } from './command.ts';
import { withDeployment } from './deployment.ts';

export type Answered = { readonly status: number; readonly body: Buffer; readonly who: string };

/** Throws a CliError if AWS cannot be asked. */
export async function askDeployment(
  given: CliArguments,
  world: CliWorld,
  { json, ...asked }: Pick<OpsRequest, 'method' | 'url'> & { readonly json?: unknown },
): Promise<Answered> {
  for (const name of ['url', 'token', 'data']) {
    if (optionValue(given, name) !== null) throw usageError(`--stack and --${name} exclude one another`);
  }
  return withDeployment(given, world, async (deps, { name }) => {
    const sent = json === undefined ? {} : { readJson: async () => ({ json }) };
    const { status, body } = await createOpsApp(deps, mailRoutes)({ ...asked, ...sent });
    return { status, body: typeof body === 'string' ? Buffer.from(body) : await readBody(body), who: name };
  });
}
