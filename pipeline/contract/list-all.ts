// All that is stored below a prefix: a store lists by pages, S3 a thousand keys at most.
import type { ListPage, ObjectStore } from './ports.ts';

/** In the order of the keys. Asks for page after page: for prefixes below which there is little. */
export async function listAll(list: ObjectStore['list'], prefix: string): Promise<ListPage['objects']> {
  const found: ListPage['objects'][number][] = [];
  for (let after: string | null | undefined; after !== null; ) {
    const page: ListPage = await list({ prefix, ...(after === undefined ? {} : { after }) });
    found.push(...page.objects);
    after = page.next;
  }
  return found;
}
