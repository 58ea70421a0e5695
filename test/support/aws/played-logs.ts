// CloudWatch Logs as Logs Insights answers: a search is scheduled, runs, and is complete when it is asked for the third time; times that no
// group has lines of are refused; rows are lists of fields.

/** What an operation answers instead; `times`: then no more. */
export type Refusal = { readonly name: string; readonly status: number; readonly message: string; times?: number };

export type PlayedLogGroup = {
  readonly createdMs: number;
  readonly retentionDays: number;
  readonly lines: { readonly atMs: number; readonly message: string }[];
};

type Query = {
  readonly logGroupNames: readonly string[];
  readonly queryString: string;
  readonly startTime: number;
  readonly endTime: number;
};
type Row = readonly { readonly field: string; readonly value: string }[];

export type PlayedLogs = ReturnType<typeof playedLogs>;

export function playedLogs(clock: () => number = Date.now) {
  const groups = new Map<string, PlayedLogGroup>();
  const definitions: { name: string; lastModified: number; logGroupNames: readonly string[] }[] = [];
  /** What was asked for, in order. */
  const queries: Query[] = [];
  const searches = new Map<string, { readonly rows: readonly Row[]; asked: number }>();
  const startQuery = (query: Query): object | Refusal => {
    const lost = query.logGroupNames.find((name) => !groups.has(name));
    if (lost !== undefined) return refused('ResourceNotFoundException', `Log group '${lost}' does not exist.`);
    const read = queryPattern.exec(query.queryString)?.groups;
    if (read === undefined) return refused('MalformedQueryException', 'unexpected symbol found');
    const wanted = query.logGroupNames.flatMap((name) => groups.get(name) ?? []);
    const oldestMs = Math.min(
      ...wanted.map(({ createdMs, retentionDays }) => Math.max(createdMs, clock() - retentionDays * 86_400_000)),
    );
    if (query.endTime * 1_000 < oldestMs) return refused('MalformedQueryException', tooOld);
    const found = wanted
      .flatMap(({ lines }) => lines)
      .filter(
        ({ atMs, message }) =>
          atMs >= query.startTime * 1_000 && atMs <= query.endTime * 1_000 && hasId(message, read['id']),
      )
      .sort((a, b) => a.atMs - b.atMs)
      .slice(0, Number(read['limit']));
    const rows = found.map(({ atMs, message }, n) => [
      { field: '@timestamp', value: new Date(atMs).toISOString().replace('T', ' ').replace('Z', '') },
      { field: '@message', value: message },
      { field: '@ptr', value: `pointer-${n}` },
    ]);
    queries.push(query);
    const queryId = `00000000-0000-0000-0000-${String(queries.length).padStart(12, '0')}`;
    searches.set(queryId, { rows, asked: 0 });
    return { queryId };
  };
  const getQueryResults = ({ queryId }: { readonly queryId: string }): object | Refusal => {
    const search = searches.get(queryId);
    if (search === undefined) return refused('ResourceNotFoundException', `Query ${queryId} does not exist`);
    search.asked += 1;
    const { rows, asked } = search;
    const statistics = { recordsMatched: rows.length, recordsScanned: rows.length, bytesScanned: 1 };
    if (asked === 1) return { status: 'Scheduled', results: [], statistics };
    if (asked === 2) return { status: 'Running', results: rows.slice(0, rows.length / 2), statistics };
    return { status: 'Complete', results: rows, statistics };
  };
  return {
    groups,
    definitions,
    queries,
    reset: (): void => {
      groups.clear();
      for (const list of [definitions, queries]) list.splice(0);
    },
    answer: (operation: string, input: any): object | Refusal => {
      switch (operation) {
        case 'DescribeQueryDefinitions':
          return {
            queryDefinitions: definitions.filter(({ name }) => name.startsWith(input.queryDefinitionNamePrefix)),
          };
        case 'StartQuery':
          return startQuery(input);
        case 'GetQueryResults':
          return getQueryResults(input);
        default:
          return refused('UnknownOperationException', '');
      }
    },
  };
}

const queryPattern =
  /^fields @timestamp, @message\n\| filter id = "(?<id>[^"]*)"\n\| sort @timestamp\n\| limit (?<limit>\d+)$/;

const tooOld =
  "Query's end date and time is either before the log groups creation time or exceeds the log groups log retention settings";

function refused(name: string, message: string): Refusal {
  return { name, status: 400, message };
}

/** Fields are discovered in lines that are JSON. */
function hasId(message: string, id: string | undefined): boolean {
  try {
    return JSON.parse(message).id === id;
  } catch {
    return false;
  }
}
