// What this folder uses of mailparser and its splitter beyond their published types: mailparser 3.9.31, pinned in package.json.
// Methods are replaced on the one parser that reads a message, never on the library's classes. mailparser stays the parser: with
// its splitter alone (mailsplit) its tree of parts and its attachment streams would have to be built again.
import type { Duplex, Transform } from 'node:stream';

/** A MIME part. Fields are false before its header was read, and if the header lacks them. */
export type Part = {
  readonly type: 'node';
  readonly root: boolean;
  readonly parentNode: Part | false;
  /** The multipart that this part stands in. */
  readonly _parentBoundaryOwner: Part | false;
  readonly _boundary: Uint8Array | false;
  _headersLines: Uint8Array[];
  _headerlen: number;
  readonly headers: object | false;
  /** The subtype of a multipart. */
  readonly multipart: string | false;
  readonly contentType: string | false;
  readonly disposition: string | false;
  readonly encoding: string | false;
  charset: string | false;
  flowed: boolean;
  parseHeaders: () => void;
  getDecoder: () => Duplex;
};

/** What the splitter makes of a message: a part, bytes of a part's body, or bytes between the parts. */
export type SplitItem = Part | { readonly type: 'body' | 'data'; readonly node: Part; readonly value: Uint8Array };

/** 1: the next part of this multipart, 2: its end; 3 and 4: the same of the multipart that this part stands in. */
export type Boundary = 1 | 2 | 3 | 4 | false;

/** The splitter; `node` is the part it is reading. */
export type Splitter = Transform & {
  node: Part;
  readonly inEpilogue: boolean;
  newNode: (parent: Part | false) => void;
  checkBoundary: (line: Uint8Array) => Boundary;
  /** Takes the bytes of a line that has not ended yet; false if there are none. */
  takePendingLine: () => Uint8Array | false;
};

/** A part as the parser keeps it. */
export type TreePart = { readonly contentType: string | false; readonly children: readonly TreePart[] };

declare module 'mailparser' {
  interface MailParser {
    readonly splitter: Splitter;
    readonly tree: TreePart | false;
    /** `decodeStream` makes the decoder of a charset, or throws where it is not known. */
    readonly decoder: { readonly decodeStream: (charset: string) => Transform };
    /** Takes the splitter's items one after another. */
    processChunk: (item: SplitItem, done: (error?: unknown) => void) => void;
  }
}
