"""Interop: conversion of states and operators to and from other packages."""
