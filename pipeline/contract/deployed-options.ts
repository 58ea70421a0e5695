// What a deployment was made with, as far as the configuration file must agree with it: an object of the bucket for the command line,
// a variable for the listener.
import { z } from 'zod';

const days = z.int().positive();

export const deployedOptionsSchema = z.object({
  serviceName: z.string(),
  hostname: z.string(),
  /** Those of the first configuration. */
  domains: z.array(z.string()),
  deliveryMode: z.enum(['smarthost', 'mx']),
  /** Null: SES of the region stands in the first configuration, and another relay may be put in its place. */
  smarthost: z.string().nullable(),
  smarthostUser: z.string().nullable(),
  /** Left out by deployments of an earlier version. */
  hooks: z.boolean().default(false),
  taskMemoryMiB: z.int().positive(),
  rawDays: days,
  inboxDays: days,
  deliveriesDays: days,
  /** The elastic addresses: those of the load balancer, and the one that mail leaves from, if there is one. In the bucket's object alone. */
  addresses: z.object({ mx: z.array(z.string()), outbound: z.string().nullable() }).optional(),
});

/** Options of cdk/options.ts, by their names there. */
export type DeployedOptions = Readonly<z.output<typeof deployedOptionsSchema>>;

/** The load balancer ends a connection on which nothing was said for so long. */
export const balancerIdleSeconds = 900;

/** The port at which listener tasks may ask DNS servers that the configuration names. */
export const dnsPort = 53;
