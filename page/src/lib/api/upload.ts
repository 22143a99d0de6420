/** Uploads: a file as the body of a PUT, with its progress, which fetch does not report. */

import { t } from "../strings";
import { Problem, problemOf } from "./problem";

export interface Uploaded {
  batch: string;
  count: number;
  jobs: number[];
  unread: string[];
  file: string;
}

/** Send a file; `onProgress` gets the share that is sent, 0 to 1. */
export function upload(
  file: File,
  onProgress: (share: number) => void,
  signal?: AbortSignal,
): Promise<Uploaded> {
  return new Promise((resolve, reject) => {
    const request = new XMLHttpRequest();
    request.open("PUT", `/api/uploads/${encodeURIComponent(file.name)}`);
    request.responseType = "json";
    request.upload.onprogress = ({ loaded, total }) => onProgress(total ? loaded / total : 0);
    request.onload = () => {
      if (request.status < 300) resolve(request.response as Uploaded);
      else reject(problemOf(request.status, request.response, request.getResponseHeader("Retry-After")));
    };
    request.onerror = () => reject(new Problem(0, "network", t.upload.network, t.error.networkHint));
    request.onabort = () => reject(new Problem(0, "aborted", t.upload.aborted));
    signal?.addEventListener("abort", () => request.abort(), { once: true });
    request.send(file);
  });
}
