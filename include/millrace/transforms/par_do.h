// ParDo: Beam's general element-wise transform (https://beam.apache.org/documentation/programming-guide/#pardo).
//
//   void Parse(const std::string& line, Output<Click> clicks, Output<Reject> rejects);
//   auto [clicks, rejects] = lines | "Parse" >> ParDo<Parse>();
//
// One PCollection per Output parameter, in their order: one is returned as it is, several as a tuple, none as nothing.
// What a DoFn may ask for is listed in core/dofn.h. A DoFn that throws is tried again and then fails the job with its
// label and the element; with `.OnError()` such an element goes to one more output, as FailedElement<T>, and its state
// writes are rolled back.
#pragma once

#include <string>
#include <tuple>
#include <type_traits>
#include <utility>
#include <vector>

#include "millrace/core/pcollection.h"
#include "millrace/detail/dofn_check.h"
#include "millrace/detail/par_do_kernel.h"
#include "millrace/detail/stateful_kernel.h"
#include "millrace/transforms/map.h"
#include "millrace/transforms/side_input.h"

namespace millrace {

namespace detail {

template <class List>
struct NamesOf;
template <class... P>
struct NamesOf<TypeList<P...>> {
  static std::vector<std::string> Get() { return {std::string(P::name())...}; }
};

template <class List>
struct OutputTypes;
template <class... T>
struct OutputTypes<TypeList<Output<T>...>> {
  static std::vector<const TypeInfo*> Infos() { return {&TypeInfoOf<T>()...}; }
  template <std::size_t... kAt>
  static auto Tuple([[maybe_unused]] Graph& graph, [[maybe_unused]] int transform, std::index_sequence<kAt...>) {
    return std::make_tuple(GraphAccess::Output<T>(graph, transform, kAt)...);
  }
  static auto Tuple(Graph& graph, int transform) { return Tuple(graph, transform, std::index_sequence_for<T...>{}); }
};

template <class D, bool kIsolates>
struct ParDoTransform : TransformBase {
  explicit ParDoTransform(D f) : fn(std::move(f)) {}
  std::string DefaultLabel() const { return "ParDo"; }

  /// Binds the side input of that name to what `AsSingleton`, `AsIterable` or `AsMap` gave.
  template <class Side>
  ParDoTransform WithSideInput(std::string name, const Side& side) const {
    ParDoTransform result = *this;
    if constexpr (!kIsPoison<Side>) result.side_inputs.push_back(side.Use(std::move(name)));
    return result;
  }

  /// Isolates elements on which the DoFn fails every time: they are the last output, FailedElement<T>.
  auto OnError() const {
    ParDoTransform<D, true> result(fn);
    result.side_inputs = side_inputs;
    return result;
  }

  template <class T>
  auto Expand(const PCollection<T>& in) const {
    if constexpr (!CheckDoFn<D>()) {
      return Poison{};
    } else if constexpr (!CheckInput<D, T>()) {
      return Result<T>(GraphAccess::GraphOf(in), 0);  // never run: lets what follows be checked
    } else {
      using Traits = DoFnTraits<D>;
      ParDoPayload payload;
      payload.dofn_name = kIsFunctionDoFn<D>   ? "a function"
                          : HasCallOperator<D> ? "a lambda"
                                               : ShortTypeName(typeid(D));
      payload.captures = HasCallOperator<D> && !std::is_empty_v<D>;
      payload.reads_pane = Select<PickPane, true, TypeList<>, typename Traits::Arguments>::Result::kSize > 0;
      payload.side_inputs = side_inputs;
      payload.declared_side_inputs = NamesOf<typename Traits::SideInputs>::Get();
      if constexpr (Traits::kStateful) {
        payload.keyed = true;
        payload.states = NamesOf<typename StatefulTraits<D>::States>::Get();
        NameTimers(payload, typename StatefulTraits<D>::Timers{});
        payload.make = [f = fn, windowing = in.windowing()] {
          return std::make_unique<StatefulKernel<D>>(f, kIsolates, windowing);
        };
      } else {
        payload.make = [f = fn] { return std::make_unique<ParDoKernel<D, kIsolates>>(f); };
      }
      std::vector<const TypeInfo*> types = OutputTypes<typename Traits::Outputs>::Infos();
      if (kIsolates) types.push_back(&TypeInfoOf<FailedElement<T>>());
      Graph& graph = GraphAccess::GraphOf(in);
      CheckSideInputs(graph, payload,
                      Traits::SideInputs::kSize == 0 ? std::vector<const std::type_info*>{}
                                                     : SideTypes(typename Traits::SideInputs{}));
      const int transform = graph.Add({GraphAccess::IndexOf(in)}, std::move(types), std::move(payload));
      return Result<T>(graph, transform);
    }
  }

  D fn;
  std::vector<SideInputUse> side_inputs;

 private:
  template <class... P>
  static void NameTimers(ParDoPayload& payload, TypeList<P...>) {
    ((P::domain() == TimeDomain::kProcessingTime ? payload.processing_timers : payload.timers).emplace_back(P::name()),
     ...);
  }

  template <class... S>
  static std::vector<const std::type_info*> SideTypes(TypeList<S...>) {
    return {&typeid(typename S::Value)...};
  }

  template <class T>
  static auto Result(Graph& graph, int transform) {
    auto outputs = OutputTypes<typename DoFnTraits<D>::Outputs>::Tuple(graph, transform);
    if constexpr (kIsolates) {
      constexpr std::size_t kLast = DoFnTraits<D>::Outputs::kSize;
      graph.pcollection(graph.transform(transform).outputs[kLast]).must_be_consumed = true;
      return std::tuple_cat(std::move(outputs),
                            std::make_tuple(GraphAccess::Output<FailedElement<T>>(graph, transform, kLast)));
    } else if constexpr (DoFnTraits<D>::Outputs::kSize == 0) {
      return;
    } else if constexpr (DoFnTraits<D>::Outputs::kSize == 1) {
      return std::get<0>(std::move(outputs));
    } else {
      return outputs;
    }
  }
};

}  // namespace detail

/// A function named in the type: it inlines and can be shipped to another process.
template <auto kFunction>
auto ParDo() {
  using Function = std::remove_pointer_t<decltype(kFunction)>;
  if constexpr (std::is_function_v<Function>) {
    return detail::ParDoTransform<detail::FunctionDoFn<kFunction>, false>({});
  } else {
    static_assert(std::is_function_v<Function>,
                  "Millrace: ParDo<F>() needs a plain or static function. Pass an object "
                  "with ProcessElement as a value, ParDo(Parse{}).");
    return detail::PoisonTransform{};
  }
}

/// A DoFn object: a lambda, or a class with ProcessElement whose fields travel with it.
template <class D>
auto ParDo(D dofn) {
  if constexpr (std::is_pointer_v<D>) {
    static_assert(detail::kNever<D>,
                  "Millrace: name the function in the type, ParDo<Parse>(), so that it can be "
                  "inlined and shipped.");
    return detail::PoisonTransform{};
  } else if constexpr (!std::is_copy_constructible_v<D>) {
    static_assert(detail::kNever<D>,
                  "Millrace: each worker gets a copy of the DoFn, and this one cannot be copied. Make "
                  "what cannot be copied in Setup(), in a std::optional or a std::shared_ptr.");
    return detail::PoisonTransform{};
  } else {
    return detail::ParDoTransform<D, false>(std::move(dofn));
  }
}

}  // namespace millrace
