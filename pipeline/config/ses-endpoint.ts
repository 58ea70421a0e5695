// The host names of Amazon SES's SMTP interface: `email-smtp.REGION.amazonaws.com`, with its FIPS, China and VPC forms.

const sesHost = /(?:^|\.)email-smtp(?:-fips)?\.([a-z0-9-]+)\.(?:vpce\.)?amazonaws\.com(?:\.cn)?\.?$/i;

/** The region of SES that a relay's host name stands for; null if it is no host of SES. */
export function sesRegion(host: string): string | null {
  return sesHost.exec(host)?.[1]?.toLowerCase() ?? null;
}
