// Puts the pictures of a message (`cid:` links, RFC 2392) into its HTML, which is shown in a frame that may load nothing.
import type { ObjectStore } from '#pipeline/contract/ports.ts';
import type { InboxMessage } from '#pipeline/contract/records/inbox-message.ts';
import { readWhole } from '#pipeline/contract/stored-body.ts';

/** Types that browsers only draw. */
const pictureTypes = /^image\/(png|jpeg|gif|webp|avif|bmp)$/i;
const maxPictureBytes = 8 * 1_024 * 1_024;
const maxAddedChars = 16 * 1_024 * 1_024;
const cidLink = /\bcid:([^\s"'<>()]{1,300})/gi;

/** The HTML with each `cid:` link to a picture of the message as a `data:` link; others stay, as do those over 8 MiB in sum. */
export async function inlinePictures(
  store: Pick<ObjectStore, 'get'>,
  { html, attachments }: { readonly html: string; readonly attachments: InboxMessage['attachments'] },
): Promise<string> {
  const wanted = new Set([...html.matchAll(cidLink)].map(([, id = '']) => contentIdOf(id)));
  const pictures = new Map<string, string>();
  let leftBytes = maxPictureBytes;
  for (const { contentId, contentType, key, bytes } of attachments) {
    if (contentId === null || !wanted.has(contentId) || pictures.has(contentId)) continue;
    if (!pictureTypes.test(contentType) || bytes > leftBytes) continue;
    const object = await store.get(key);
    if (object === null) continue;
    const content = await readWhole(object);
    leftBytes -= bytes;
    pictures.set(contentId, `data:${contentType.toLowerCase()};base64,${content.toString('base64')}`);
  }
  let leftChars = maxAddedChars; // one picture may be linked ten thousand times
  return html.replace(cidLink, (link, id: string) => {
    const picture = pictures.get(contentIdOf(id));
    if (picture === undefined || picture.length > leftChars) return link;
    leftChars -= picture.length;
    return picture;
  });
}

/** A `cid:` link is a URL: percent-encoded, and in HTML an ampersand may be written out. */
function contentIdOf(linked: string): string {
  const plain = linked.replaceAll('&amp;', '&');
  try {
    return decodeURIComponent(plain);
  } catch {
    return plain;
  }
}
