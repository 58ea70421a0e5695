// What the halves of the storm have in common: the service they blow at, who submits there, and what a half finds.
import { hashPassword } from '#pipeline/config/password.ts';

/** Where the storm blows: the service's ports and its operations API. */
export type StormPlace = { readonly mxPort: number; readonly submissionPort: number; readonly api: string };

/** The user who submits; `load.example` is the service's own domain, with the mailboxes `app` and `bob`. */
export const stormLogin = { user: 'app@load.example', password: 'bench' };

/** What one half of the storm found: seconds that each neighbour took, and what blew beside them. */
export type StormHalf = { readonly seconds: readonly number[]; readonly beside: string };

/** The service's configuration: it sends to the storm's hosts, and asks the storm's DNS. */
export async function stormConfig(at: {
  readonly mxPort: number;
  readonly submissionPort: number;
  readonly dns: { readonly server: string };
  readonly hosts: { readonly port: number };
}): Promise<Readonly<Record<string, unknown>>> {
  const { user: name, password } = stormLogin;
  return {
    mode: 'serve',
    hostname: 'mail.load.example',
    listeners: [
      { role: 'mx', port: at.mxPort },
      { role: 'submission', port: at.submissionPort },
    ],
    domains: { 'load.example': { mailboxes: ['app', 'bob'] } },
    users: [{ name, password: await hashPassword(password), mayFrom: ['*@load.example'] }],
    delivery: { port: at.hosts.port, allowPrivateTargets: true },
    dns: { servers: [at.dns.server] },
  };
}
