// The smallest renderer that does: JSX into elements, and elements kept where they still fit.
//
// A library for this would be a third of the size limit. Texts become text nodes and values become
// attributes; there is no way from a string to markup.

import { guarded } from "./host";

export type Child = VNode | string | number | boolean | null | undefined | readonly Child[];

export interface VNode {
  tag: string;
  props: Record<string, unknown>;
  kids: Child[];
}

type Component = (props: never, kids: Child) => Child;

declare global {
  namespace JSX {
    type Element = Child;
    type ElementType = string | ((props: never) => Child);
    interface ElementChildrenAttribute {
      children: unknown;
    }
    interface IntrinsicAttributes {
      key?: string | number;
    }
    interface IntrinsicElements {
      [tag: string]: Record<string, unknown>;
    }
  }
}

/** What JSX becomes: a component is called at once, an element is described. */
export function h(
  tag: string | Component,
  props: Record<string, unknown> | null,
  ...kids: Child[]
): Child {
  const given = props ?? {};
  if (typeof tag === "string") return { tag, props: given, kids };
  return tag(given as never, kids);
}

/** Several children without an element around them. */
export function Fragment(_: object, kids?: Child): Child {
  return kids;
}

type Kept = Element & { was?: Record<string, unknown> };

/** Makes the children of an element what is described; what fits stays, with focus and input. */
export function render(parent: Node, kids: Child): void {
  const old = [...parent.childNodes] as (Kept | Text)[];
  let next: ChildNode | null = parent.firstChild;
  for (const kid of flat(kids)) {
    const at = old.findIndex((node) => fits(node, kid));
    const node = at < 0 ? make(kid) : (old.splice(at, 1)[0] as Kept | Text);
    if (typeof kid === "string") {
      if ((node as Text).data !== kid) (node as Text).data = kid;
    } else {
      dress(node as Kept, kid.props);
      render(node, kid.kids);
    }
    // What is about to go must not push what stays: moving an element takes its focus away.
    while (next && next !== node && at >= 0) {
      const gone: ChildNode = next;
      next = next.nextSibling;
      gone.remove();
      old.splice(old.indexOf(gone as Kept), 1);
    }
    if (next === node) next = node.nextSibling;
    else parent.insertBefore(node, next);
  }
  for (const node of old) node.remove();
}

function flat(kids: Child): (VNode | string)[] {
  if (Array.isArray(kids)) return kids.flatMap(flat);
  if (kids === null || kids === undefined || typeof kids === "boolean") return [];
  return [typeof kids === "object" ? (kids as VNode) : String(kids)];
}

function fits(node: Kept | Text, kid: VNode | string): boolean {
  if (typeof kid === "string") return node.nodeType === 3;
  return (
    node.nodeType === 1 &&
    (node as Kept).localName === kid.tag &&
    (node as Kept).was?.["key"] === kid.props["key"]
  );
}

function make(kid: VNode | string): Kept | Text {
  if (typeof kid === "string") return document.createTextNode(kid);
  return /^(svg|path)$/.test(kid.tag)
    ? document.createElementNS("http://www.w3.org/2000/svg", kid.tag)
    : document.createElement(kid.tag);
}

function dress(node: Kept, props: Record<string, unknown>): void {
  const was = node.was ?? {};
  for (const name in { ...was, ...props }) {
    const value = props[name];
    if (was[name] === value || name === "key") continue;
    if (name.startsWith("on")) {
      const work = value as ((event: Event) => void) | undefined;
      (node as never as Record<string, unknown>)[name] = work && guarded(work);
    }
    // As a property: a strict policy of the page forbids the attribute.
    else if (name === "style") (node as never as HTMLElement).style.cssText = String(value);
    else if (name.startsWith("aria-") && typeof value === "boolean") {
      node.setAttribute(name, String(value));
    } else if (value === false || value === null || value === undefined) node.removeAttribute(name);
    else node.setAttribute(name, value === true ? "" : String(value));
  }
  node.was = props;
}
