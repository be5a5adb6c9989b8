/** Which of its pages the address asks for. Pure. */

export type Route =
  | { page: "live" }
  | { page: "list"; search: string }
  | { page: "session"; session: string }
  | { page: "compare"; one: string | null; other: string | null }
  | { page: "trends"; search: string }
  | { page: "journal" };

/** An address that is none of ours is the live page. */
export function readRoute(path: string, search: string): Route {
  const [first = "", second = ""] = path.split("/").slice(1);
  if (first === "history") return second === "" ? { page: "list", search } : { page: "session", session: decodeURIComponent(second) };
  if (first === "trends") return { page: "trends", search };
  if (first === "journal") return { page: "journal" };
  if (first !== "compare") return { page: "live" };
  const asked = new URLSearchParams(search);
  return { page: "compare", one: asked.get("one"), other: asked.get("other") };
}
