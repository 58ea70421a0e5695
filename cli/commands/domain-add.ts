// `pillarbox domain add DOMAIN`: a domain that mail is taken for, and the DNS records that bring it here.
import { z } from 'zod';
import { type Command, cliError, usageError } from '#cli/command.ts';
import { editing } from '#cli/config/edit-command.ts';
import { dnsRecordSchema, recordText } from '#cli/dns/dns-record.ts';
import { suggestedRecords } from '#cli/dns/dns-records.ts';
import { waysOutOf } from '#cli/dns/way-out.ts';
import { type Domain, parseDomain } from '#mail/address/address.ts';
import { isProblem } from '#mail/problem.ts';
import type { Config } from '#pipeline/config/config.ts';
import { setValue } from '#pipeline/config/edit-config.ts';

export const domainAdd: Command = editing({
  name: 'domain add',
  usage: 'DOMAIN [--mailbox NAME] [options]',
  about: 'take mail for another domain, and print the DNS records to publish',
  takes: [1, 1],
  options: { mailbox: { value: 'NAME', about: 'a mailbox in it; again for more (default postmaster)', many: true } },
  gives: { domain: z.string(), mailboxes: z.array(z.string()), records: z.array(dnsRecordSchema) },
  ready: ({ given, known }) => {
    const domain = parseDomain(given.positionals[0] ?? '');
    if (isProblem(domain)) throw usageError(domain.problem);
    refuseIfThere(known.config, domain);
    return { domain, mailboxes: given.values['mailbox'] ?? ['postmaster'] };
  },
  change: ({ text, config }, { domain, mailboxes }) => {
    refuseIfThere(config, domain);
    return { text: setValue(text, ['domains', domain], { mailboxes }) };
  },
  tells: async ({ ready: { domain, mailboxes } }, { known: { config, path }, place, world }) => {
    const suggested = suggestedRecords(domain, { config, ways: await waysOutOf(config, place), nowMs: world.clock() });
    const records = [suggested.mx, suggested.spf, suggested.dmarc];
    const addresses = mailboxes.map((name) => `${name}@${domain}`);
    return {
      json: { domain, mailboxes, records },
      lines: [
        `Mail for ${addresses.join(', ')} is taken from now on; written to ${path}.`,
        'Publish:',
        '',
        ...records.map(recordText),
        '',
      ],
      next: `Next: ${place.command(`dkim new ${domain}`)}, then: ${place.command('check')}`,
    };
  },
});

function refuseIfThere({ domains }: Config, domain: Domain): void {
  if (Object.hasOwn(domains, domain)) throw cliError(`domain ${domain} is there already`, 'exists');
}
