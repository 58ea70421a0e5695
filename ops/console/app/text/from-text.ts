// The name and address in what a list of mail has as text: `Ann <ann@a.example>`, or an address alone.

export type Named = { readonly name: string; readonly address: string };

/** `name` is empty if there is none. */
export function fromText(text: string): Named {
  const [, name, address] = /^(.*) <([^<>]*)>$/s.exec(text) ?? [];
  return name === undefined || address === undefined ? { name: '', address: text } : { name, address };
}
