import type { Plugin } from "vite";

export default function demoDigits(): Plugin;
