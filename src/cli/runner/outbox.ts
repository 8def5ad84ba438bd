/**
 * The page's side of the border: a RunSink that posts in order without ever making training wait for the network, except when the
 * command has fallen far behind.
 */
import { CHECKPOINT_FILE, type MetricsRecord, type RunSink } from "../../experiments/contract.ts";
import { encodeRecord, type Message } from "./protocol.ts";

/** Posts one request and throws when it is refused. */
export type Post = (path: string, body: string | Uint8Array<ArrayBuffer>) => Promise<void>;

/** Records wait this long for company before they are posted. */
const BATCH_MS = 100;
/** Above this many unposted records, `records` makes the experiment wait. */
const MAX_PENDING_RECORDS = 20_000;

type Parcel = { readonly messages: Message[] } | { readonly file: string; readonly bytes: Uint8Array };

export class Outbox implements RunSink {
  readonly #post: Post;
  readonly #queue: Parcel[] = [];
  readonly #batch: MetricsRecord[] = [];
  #pendingRecords = 0;
  #timer: ReturnType<typeof setTimeout> | undefined;
  #sending: Promise<void> | undefined;
  #failure: { readonly error: unknown } | undefined;

  constructor(post: Post) {
    this.#post = post;
  }

  phase(text: string): void {
    this.#message({ type: "phase", text });
    // Shown before what may be a long synchronous computation: the request is on its way when this returns.
    void this.#send().catch(() => {});
  }

  begin(header: Parameters<RunSink["begin"]>[0]): Promise<void> {
    this.#message({ type: "begin", header });
    return this.flush();
  }

  records(batch: readonly MetricsRecord[]): void | Promise<void> {
    if (this.#failure) throw this.#failure.error;
    this.#batch.push(...batch);
    this.#pendingRecords += batch.length;
    this.#timer ??= setTimeout(() => {
      this.#timer = undefined;
      this.#closeBatch();
      void this.#send().catch(() => {});
    }, BATCH_MS);
    if (this.#pendingRecords > MAX_PENDING_RECORDS) return this.flush();
  }

  checkpoint(bytes: Uint8Array): Promise<void> {
    return this.file(CHECKPOINT_FILE, bytes);
  }

  file(name: string, bytes: Uint8Array): Promise<void> {
    this.#closeBatch();
    this.#queue.push({ file: name, bytes });
    return this.flush();
  }

  /** The last message of a run, after everything before it has arrived. */
  close(message: Message): Promise<void> {
    this.#message(message);
    return this.flush();
  }

  /** Resolves when all that was handed over has arrived. */
  async flush(): Promise<void> {
    this.#closeBatch();
    await this.#send();
  }

  #message(message: Message): void {
    this.#closeBatch();
    const last = this.#queue.at(-1);
    if (last && "messages" in last) last.messages.push(message);
    else this.#queue.push({ messages: [message] });
  }

  #closeBatch(): void {
    if (this.#batch.length === 0) return;
    const records = this.#batch.splice(0).map(encodeRecord);
    this.#message({ type: "records", records });
  }

  /** One request at a time keeps the order; what arrives meanwhile shares the next request. */
  #send(): Promise<void> {
    if (this.#failure) return Promise.reject(this.#failure.error);
    // An empty queue must not start a drain: it would end before it is assigned here.
    if (this.#queue.length > 0) this.#sending ??= this.#drain();
    return this.#sending ?? Promise.resolve();
  }

  async #drain(): Promise<void> {
    try {
      for (let parcel = this.#queue.shift(); parcel; parcel = this.#queue.shift()) {
        if ("file" in parcel) {
          await this.#post(`file/${encodeURIComponent(parcel.file)}`, new Uint8Array(parcel.bytes));
        } else {
          await this.#post("messages", JSON.stringify(parcel.messages));
          for (const message of parcel.messages)
            if (message.type === "records") this.#pendingRecords -= message.records.length;
        }
      }
    } catch (error) {
      this.#failure = { error };
      throw error;
    } finally {
      // In the same turn as the last look at the queue, so that nothing can be queued and find a drain that has already ended.
      this.#sending = undefined;
    }
  }
}
