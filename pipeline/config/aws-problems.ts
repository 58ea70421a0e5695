// AWS's rules of a configuration: what the schema allows and a deployment cannot do. All that looks at a deployment's configuration
// (`check`, `config push`, `dkim new`, `user add`) asks here.
import { isIP } from 'node:net';
import { parseAddress } from '#mail/address/address.ts';
import { isLoopbackHost } from '#mail/address/loopback.ts';
import { isPrivate } from '#mail/address/private-address.ts';
import { isProblem } from '#mail/problem.ts';
import { type Access, listenerAccess, stages } from '#pipeline/contract/stages.ts';
import type { Config } from './config.ts';
import { hostOf, isHttps } from './hook.ts';
import { sesRegion } from './ses-endpoint.ts';

/** What to do about it: a command, what to write instead, or both. `own`: it is one of this program, without its name. */
type ConfigMend =
  | { readonly own?: undefined; readonly run?: undefined; readonly mend: string }
  | { readonly own?: undefined; readonly run: string; readonly mend: string | null }
  | { readonly own: string; readonly run?: undefined; readonly mend: null };

/** `at`: where in the file; `what`: why that cannot work, a sentence. */
export type ConfigProblem = ConfigMend & { readonly at: string; readonly what: string };

/** What a deployment named `stack` (its serviceName) cannot do of a configuration; empty if it can do all. */
export function awsProblems(config: Config, stack: string): readonly ConfigProblem[] {
  return [
    ...captureProblem(config),
    ...references(config, stack).flatMap((one) => referenceProblem(one, stack)),
    ...relayProblems(config),
    ...forwardProblems(config),
    ...hookProblems(config),
  ];
}

function captureProblem({ mode }: Config): ConfigProblem[] {
  const what = 'all the world reaches the listener on AWS, and it would take mail for any address from anybody';
  return mode === 'capture' ? [{ at: 'mode', what, mend: 'take it out: capture is for trials on one machine' }] : [];
}

/** A reference to a secret, who must read it, and what mends it if that is impossible. */
type Reference = {
  readonly at: string;
  readonly reference: string;
  readonly readers: readonly Pick<Access, 'secrets'>[];
  readonly mend: ConfigMend;
};

function references({ tls, domains, users, delivery, srsSecret, hooks }: Config, stack: string): readonly Reference[] {
  const listener = [listenerAccess];
  const deliver = [stages.deliver];
  const given = (at: string, reference: string | null, rest: Omit<Reference, 'at' | 'reference'>): Reference[] =>
    reference === null ? [] : [{ at, reference, ...rest }];
  const put = (name: string, what: string): ConfigMend => ({
    run: `aws secretsmanager put-secret-value --secret-id ${stack}/${name} --secret-string file://${what}`,
    mend: `write "secret:${name}" here`,
  });
  return [
    ...given('tls.certificate', tls?.certificate ?? null, {
      readers: listener,
      mend: put('tls-certificate', 'chain.pem'),
    }),
    ...given('tls.key', tls?.key ?? null, { readers: listener, mend: put('tls-key', 'key.pem') }),
    ...Object.entries(domains).flatMap(([domain, { dkim }]) =>
      dkim.map(({ selector, privateKey }) => ({
        at: `domains["${domain}"].dkim, selector ${selector}`,
        reference: privateKey,
        readers: deliver,
        mend: { own: `dkim new ${domain} --stack ${stack}`, mend: null },
      })),
    ),
    ...users.flatMap(({ name, password }) =>
      given(`users, ${name}`, /^(scrypt|stored):/.test(password) ? null : password, {
        readers: listener,
        mend: { own: `user password ${name} --stack ${stack}`, mend: null },
      }),
    ),
    ...given('delivery.smarthost.password', delivery.smarthost?.password ?? null, {
      readers: deliver,
      mend: put('smarthost-password', 'password.txt'),
    }),
    ...hooks.flatMap(({ name, secret }) =>
      given(`hooks, ${name}.secret`, secret ?? null, {
        readers: [stages.notify],
        mend: {
          run: `aws secretsmanager create-secret --name ${stack}/webhook-${name} --secret-string file://secret.txt`,
          mend: `write "secret:webhook-${name}" here`,
        },
      }),
    ),
    ...given('srsSecret', srsSecret, {
      readers: [listenerAccess, stages.authenticate, stages.deliver],
      mend: { mend: `write "secret:srs" here: ${stack}/srs was made with the deployment` },
    }),
  ];
}

function referenceProblem({ at, reference, readers, mend }: Reference, stack: string): ConfigProblem[] {
  const [, name] = /^secret:(.+)$/.exec(reference) ?? [];
  if (name === undefined) {
    const kind = reference.slice(0, reference.indexOf(':') + 1);
    return [{ at, what: `no function can read ${kind} on AWS, where secrets are in Secrets Manager`, ...mend }];
  }
  if (readers.every(({ secrets }) => secrets.some((allowed) => isNamed(name, allowed)))) return [];
  const allowed = [...new Set(readers.flatMap(({ secrets }) => secrets))].map((one) => `${stack}/${one}`);
  return [{ at, what: `who uses it may not read ${stack}/${name}, only ${allowed.join(', ')}`, ...mend }];
}

/** A `*` at the end of an allowed name stands for any rest. */
function isNamed(name: string, allowed: string): boolean {
  return allowed.endsWith('*') ? name.startsWith(allowed.slice(0, -1)) : name === allowed;
}

/** The functions are in no network of the operator's: what is private to them is AWS's own. */
function hookProblems({ hooks }: Config): readonly ConfigProblem[] {
  return hooks.flatMap(({ name, url, module, allowPrivate }) => {
    const at = `hooks, ${name}`;
    if (url === undefined && module !== undefined) {
      const what = 'a module is called on one machine alone: on AWS the same file is a function of yours';
      const mend = 'take it out, deploy the file as a Lambda function, and tell it by a MailRule (docs/consume.md)';
      return [{ at, what, mend }];
    }
    if (url === undefined) {
      const what =
        'a command is run on one machine alone: on AWS a program is a function of yours, or a receiver at a url';
      const mend =
        'give it a url; or take it out, deploy a Lambda function, and tell it by a MailRule (docs/consume.md)';
      return [{ at, what, mend }];
    }
    const host = hostOf(url);
    const isInside = isLoopbackHost(host) || (isIP(host) > 0 && isPrivate(host));
    if (!isInside && isHttps(url) && !allowPrivate) return [];
    const what = isInside
      ? `no receiver is on ${host} on AWS`
      : 'hooks on AWS are called by https, at public addresses alone: the function is in no network of yours';
    return [{ at, what, mend: 'give it a public https URL, and take allowPrivate out' }];
  });
}

/** The user of a relay that the first deploy could not know. */
export const smtpUserPlaceholder = 'replace-with-the-smtp-user';

function relayProblems({ delivery: { mode, smarthost } }: Config): ConfigProblem[] {
  if (mode !== 'smarthost' || smarthost === null) return [];
  const at = 'delivery.smarthost';
  const isLoggedIn = smarthost.user !== null && smarthost.password !== null;
  if (!isLoggedIn && sesRegion(smarthost.host) !== null) {
    const mend = 'write "user", the SMTP user name, and "password": "secret:smarthost-password" here';
    return [{ at, what: 'SES takes mail only from who logs in, so mail that goes out waits', mend }];
  }
  if (smarthost.user !== smtpUserPlaceholder) return [];
  const what = 'the relay refuses this log-in, so mail that goes out waits: it is the placeholder of the first deploy';
  return [{ at: `${at}.user`, what, mend: 'write the user name that goes with the SMTP password here' }];
}

/**
 * Aliases that lead outside while mail leaves by SES, in both worlds. SES takes mail only from authors (`From`) whose domain is verified
 * in this account, so it refuses what a stranger wrote; and bounces of forwarded mail count against the account.
 */
export function forwardProblems({ hostname, domains, delivery }: Config): readonly ConfigProblem[] {
  const { mode, smarthost } = delivery;
  if (mode !== 'smarthost' || smarthost === null || sesRegion(smarthost.host) === null) return [];
  const isOurs = (domain: string): boolean => domain === hostname || Object.hasOwn(domains, domain);
  return Object.entries(domains).flatMap(([domain, { aliases }]) =>
    Object.entries(aliases).flatMap(([alias, targets]) => {
      const outside = targets.filter((target) => {
        const address = target.includes('@') ? parseAddress(target) : null;
        return address !== null && !isProblem(address) && !isOurs(address.domain);
      });
      if (outside.length === 0) return [];
      const what = `${alias}@${domain} leads to ${outside.join(', ')}, and mail leaves by SES, which refuses what others wrote`;
      const mend =
        'lead it to a mailbox here and let a program send it on in its own name, or send by another relay or directly (delivery.mode "mx")';
      return [{ at: `domains["${domain}"].aliases.${alias}`, what, mend }];
    }),
  );
}
