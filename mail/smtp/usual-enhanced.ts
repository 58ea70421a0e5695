// The enhanced code that other servers usually give with a reply code (RFC 3463, RFC 5248), where only the reply code is known.

const usual: Readonly<Record<number, string>> = {
  421: '4.3.2',
  432: '4.7.12',
  450: '4.2.0',
  451: '4.3.0',
  452: '4.3.1',
  454: '4.7.0',
  500: '5.5.2',
  501: '5.5.4',
  502: '5.5.1',
  503: '5.5.1',
  504: '5.5.4',
  521: '5.3.2',
  530: '5.7.0',
  534: '5.7.9',
  535: '5.7.8',
  538: '5.7.11',
  550: '5.7.1',
  551: '5.1.6',
  552: '5.3.4',
  553: '5.1.7',
  555: '5.5.4',
  556: '5.1.10',
};

/** Where they say something of the recipient. */
const usualOfRecipient: Readonly<Record<number, string>> = {
  450: '4.2.1',
  452: '4.2.2',
  550: '5.1.1',
  552: '5.2.2',
  553: '5.1.3',
};

/** For a code from 400 to 599; `x.0.0` if nothing more is usual. */
export function usualEnhanced(code: number, { ofRecipient }: { readonly ofRecipient: boolean }): string {
  return (ofRecipient ? usualOfRecipient[code] : undefined) ?? usual[code] ?? `${String(code).charAt(0)}.0.0`;
}
